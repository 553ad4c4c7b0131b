/** The form with which somebody makes an account. It works without scripts. */
import type { AccountForm as Form } from "./model.ts";

export const AccountForm = ({ form }: { readonly form: Form }) => {
  const { problem } = form;
  const described = (field: string) =>
    problem?.field === field ? { "aria-invalid": "true" as const, "aria-describedby": "problem" } : {};
  return (
    <form class="account" method="post" action={form.action}>
      {problem && (
        <p class="problem" id="problem" role="alert">
          {problem.text}
        </p>
      )}
      <p>
        <label for="username">Name</label>
        <span class="affixed">
          <input
            id="username"
            name="username"
            value={form.username}
            readonly={form.isNamed}
            required
            maxlength={64}
            autocomplete="username"
            autocapitalize="none"
            spellcheck={false}
            {...described("username")}
          />
          <span>@{form.domain}</span>
        </span>
      </p>
      <p>
        <label for="password">Password</label>
        <input
          id="password"
          name="password"
          type="password"
          required
          autocomplete="new-password"
          {...described("password")}
        />
      </p>
      <p>
        <label for="again">The same password again</label>
        <input
          id="again"
          name="again"
          type="password"
          required
          autocomplete="new-password"
          {...described("again")}
        />
      </p>
      <p class="hint">
        Your name and this domain become your address. Nobody here can look up your password.
      </p>
      <p>
        <button class="button" type="submit">
          Make my account
        </button>
      </p>
    </form>
  );
};
