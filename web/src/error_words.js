// Error messages for users. The API's own texts are for developers, so they are replaced by the stable `code`.

const WORDS = {
  invalid_credentials: "Email or password is wrong.",
  username_taken: "This name is taken.",
  email_taken: "This email already has an account.",
  room_not_found: "This room doesn't exist or has ended.",
};

/**
 * One sentence for an error of the REST API or of a socket event. `retryAfter` is in seconds.
 * @param {{ code: string, message: string, retryAfter?: number }} error
 */
export function errorWords({ code, message, retryAfter }) {
  if (code !== "rate_limited" || !retryAfter) return WORDS[code] ?? message;
  const minutes = Math.ceil(retryAfter / 60);
  return `Too many attempts. Try again in ${minutes} ${minutes === 1 ? "minute" : "minutes"}.`;
}

/** The message for one field of an `invalid_input` error. Empty fields never get here: the form reports them itself. */
export function fieldWords({ field, message }) {
  return field === "email" ? EMAIL_WORDS : message;
}

export const EMAIL_WORDS = "Enter an address like name@example.com.";
