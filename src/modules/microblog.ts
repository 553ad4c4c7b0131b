/** XEP-0277 and XEP-0472: what tells social clients that an account here has a blog. The blog itself is `domain/posts`. */
import { NS } from "../xmpp/ns.ts";
import { defineModule } from "./context.ts";

export default defineModule({
  name: "microblog",
  xeps: ["0277", "0472"],
  features: { account: [NS.microblog, NS.socialFeed] },
  setup: () => ({}),
});
