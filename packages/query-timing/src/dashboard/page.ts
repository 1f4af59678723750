import { clientScript } from './client-script.ts';
import { styles } from './styles.ts';

/** Makes the page for a nonce. */
export type Page = (nonce: string) => Promise<string>;

/**
 * The one HTML document: styles and code in it, nothing loaded from anywhere, data asked for by the code. Its code is read
 * at the first call. @param title shown as text
 */
export function createPage(title: string): Page {
  let script: Promise<string> | undefined;
  return async nonce => {
    // One that failed is tried again: the file may have been there too late.
    script ??= clientScript('main').catch((error: unknown) => {
      script = undefined;
      throw error;
    });
    return html(escapeHtml(title), nonce, await script);
  };
}

function html(title: string, nonce: string, script: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="${icon}">
<style nonce="${nonce}">${styles}</style>
</head>
<body>
<div id="app" data-title="${title}"><p class="loading">Reading the report …</p></div>
<noscript><p class="loading">This page needs JavaScript. The same is there as Markdown (…/report.md) and as JSON (…/report.json).</p></noscript>
<script type="module" nonce="${nonce}">
${script}
</script>
</body>
</html>
`;
}

/** The four parts of a query's time as bars. Its `%23` are `#` of colours. */
const icon =
  'data:image/svg+xml,' +
  "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E" +
  "%3Crect x='1' y='2' width='6' height='3' rx='1.5' fill='%23e8930c'/%3E" +
  "%3Crect x='4' y='6.5' width='10' height='3' rx='1.5' fill='%232f6fde'/%3E" +
  "%3Crect x='9' y='11' width='6' height='3' rx='1.5' fill='%2312a37a'/%3E%3C/svg%3E";

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}
