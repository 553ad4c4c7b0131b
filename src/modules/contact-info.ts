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
      if (addresses.length > 0) fields.set(name, { name, type: "list-multi", values: [...addresses] });
    }
    if (fields.size === 0) return {};
    return { disco: { forms: [formElement({ type: "result", formType: NS.serverInfo, fields })] } };
  },
});
