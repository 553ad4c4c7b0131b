/** XEP-0049: private XML, an element of each name and namespace for each account. What writes is used inside a transaction. */
import { and, asc, eq } from "drizzle-orm";
import type { Store } from "./store.ts";

export interface PrivateXmlRow {
  readonly account: string;
  readonly xmlns: string;
  readonly name: string;
  readonly xml: string;
}

export const privateXmlStore = ({ db, t: { privateXml } }: Store) => ({
  async find({ account, xmlns, name }: Omit<PrivateXmlRow, "xml">): Promise<string | undefined> {
    const [row] = await db
      .select({ xml: privateXml.xml })
      .from(privateXml)
      .where(and(eq(privateXml.account, account), eq(privateXml.xmlns, xmlns), eq(privateXml.name, name)));
    return row?.xml;
  },

  /** In the order of their names. */
  async list(account: string): Promise<PrivateXmlRow[]> {
    return db
      .select()
      .from(privateXml)
      .where(eq(privateXml.account, account))
      .orderBy(asc(privateXml.xmlns), asc(privateXml.name));
  },

  async count(account: string): Promise<number> {
    return db.$count(privateXml, eq(privateXml.account, account));
  },

  async put(row: PrivateXmlRow): Promise<void> {
    await db
      .insert(privateXml)
      .values(row)
      .onConflictDoUpdate({
        target: [privateXml.account, privateXml.xmlns, privateXml.name],
        set: { xml: row.xml },
      });
  },

  async clear(account: string): Promise<void> {
    await db.delete(privateXml).where(eq(privateXml.account, account));
  },
});
