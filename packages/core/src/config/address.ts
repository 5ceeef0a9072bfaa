/** Addresses as they stand in the file and on the command line. */

/** `host:port`, an IPv6 host in brackets; null where it is not that. Port 0 = any free port. */
export function parseListen(text: string): { host: string; port: number } | null {
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const port = Number(match[3]);
  if (port > 65_535) return null;
  return { host: (match[1] ?? match[2])!, port };
}

/** The base without its trailing slashes, or what is wrong with it (which never quotes it: it may hold a password). */
export function parseBaseUrl(text: string): { url: string } | { wrong: string } {
  const parsed = URL.parse(text);
  if (parsed === null || !/^https?:\/\//i.test(text)) {
    return { wrong: 'must be an http or https URL, such as "https://api.example/v1"' };
  }
  if (parsed.username !== '' || parsed.password !== '') {
    return { wrong: 'must not hold a user or password; put the credential in its own key' };
  }
  if (parsed.search !== '' || parsed.hash !== '' || /[?#]/.test(text)) {
    return { wrong: 'must not hold a query or fragment; end it before "?" or "#"' };
  }
  if (/\s/.test(text)) return { wrong: 'must not hold white space' };
  return { url: text.replace(/\/+$/, '') };
}

/** Whether only this machine reaches it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
