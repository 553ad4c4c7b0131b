/** XEP-0114: the components that are connected are found at the domain (XEP-0030). */
import { xml } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

export default defineModule({
  name: "components",
  xeps: ["0114"],
  setup: ({ components }) => ({
    disco: {
      server: {
        items: ({ node }) =>
          node === undefined ? [...components.connected].map((jid) => xml("item", { jid })) : undefined,
      },
    },
  }),
});
