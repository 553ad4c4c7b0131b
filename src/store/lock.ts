/** One process at a time in a data directory. SQLite holds the lock, so that it ends with the process however it ends. */
import Database from "better-sqlite3";

export interface Lock {
  release(): void;
}

/** Takes the lock that `file` stands for; `undefined` while another process has it. */
export function takeLock(file: string): Lock | undefined {
  const database = new Database(file, { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if ((error as { code?: string }).code === "SQLITE_BUSY") return undefined;
    throw error;
  }
  return { release: () => void database.close() };
}
