/** Apps with which to chat, and how an invitation gets into one. */
import type { App, QrCode } from "./model.ts";

export const AppList = ({ apps }: { readonly apps: readonly App[] }) => (
  <>
    <ul class="apps">
      {apps.map((app) => (
        <li>
          <a href={app.href}>{app.name}</a> <span>{app.runsOn}</span>
        </li>
      ))}
    </ul>
    <p>
      There are <a href="https://xmpp.org/software/">many more</a>.
    </p>
  </>
);

/** Dark on light whatever the page's colours are, for cameras want it so; with the margin that they need. */
export const Qr = ({ qr, label }: { readonly qr: QrCode; readonly label: string }) => (
  <svg class="qr" viewBox={`-4 -4 ${qr.size + 8} ${qr.size + 8}`} role="img" aria-label={label}>
    <path d={qr.path} />
  </svg>
);
