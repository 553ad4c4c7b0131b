/** XEP-0157: Contact Addresses for XMPP Services, from the configuration. */
import { formElement, type Field } from "../xmpp/dataform.ts";
import { NS } from "../xmpp/ns.ts";
import { defineModule } from "./context.ts";

export default defineModule({
  name: "contact-info",
  xeps: ["0157"],
  setup: ({ config }) => {
    const fields = new Map<string, Field>();
    for (const [role, addresses = []] of Object.entries(config.contact)) {
      const name = `${role}-addresses`;
      // No URI has this character (RFC 3986 §2), and capabilities would have no hash (XEP-0115 §5.4).
      const values = addresses.map((address) => address.replaceAll("<", "%3C"));
      if (values.length > 0) fields.set(name, { name, type: "list-multi", values });
    }
    if (fields.size === 0) return {};
    return { disco: { forms: [formElement({ type: "result", formType: NS.serverInfo, fields })] } };
  },
});
