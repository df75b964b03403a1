/** What is taken for a secret. Names and forms decide, as values have none; in doubt it is one. */

const NAME =
  /pass(?:word|wd|phrase|code)?(?:$|[^a-z])|pass(?:word|wd)|secret|token|credential|api[_-]?key|private[_-]?key|access[_-]?key|encryption[_-]?key|(?:^|[_-])(?:key|pwd|pw|dsn|salt|auth|jwt)$|htpasswd/i;
/** A variable that names a file (`POSTGRES_PASSWORD_FILE`), or says how secrets are handled. */
const ABOUT =
  /(?:_|-|^)(?:file|path|dir|url|uri|host|port|user|username|name|ttl|expiry|expires|length|header|algorithm|enabled)$/i;
const URL_WITH_PASSWORD = /\/\/[^/\s:@]*:[^/\s@]+@/;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----|AGE-SECRET-KEY-1/;
const SETTING =
  /^[^\S\n]*(?:-[^\S\n]+)?["']?[\w.-]{0,64}(?:password|passwd|passphrase|secret|token|api[_-]?key)["']?[^\S\n]*[:=][^\S\n]*["']?[^\s"'$<{[]{3,}/im;
const SWITCH = /^(?:true|false|yes|no|on|off|0|1|)$/i;

/** Whether a variable of this name and value belongs into a Secret. */
export function isSecretVariable(name: string, value: string | undefined): boolean {
  if (value !== undefined && (URL_WITH_PASSWORD.test(value) || PRIVATE_KEY.test(value))) return true;
  return NAME.test(name) && !ABOUT.test(name) && !(value !== undefined && SWITCH.test(value));
}

/** Whether a file of settings has secrets in it. */
export function isSecretFile(path: string, text: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return (
    /\.(?:key|pem|p12|pfx|jks|kdbx|age)$|^id_[a-z0-9]+$|htpasswd|^\.env|\.env$|secret|password|credential/i.test(
      name,
    ) ||
    PRIVATE_KEY.test(text) ||
    URL_WITH_PASSWORD.test(text) ||
    SETTING.test(text)
  );
}

/** The option of a program whose value is secret: its name, and the value where it is in the same word. */
export function secretOption(
  word: string,
): { readonly option: string; readonly value: string | undefined } | undefined {
  const match = /^--?([\w.-]{0,64}(?:pass|secret|token|api-?key)[\w.-]{0,64})(?:=([\s\S]*))?$/i.exec(word);
  const option = match?.[1];
  return option === undefined || ABOUT.test(option) ? undefined : { option, value: match?.[2] };
}

export function hasPassword(text: string): boolean {
  return URL_WITH_PASSWORD.test(text) || PRIVATE_KEY.test(text);
}
