// Pages of the preview panel, as text: they are built without an editor.

/** Where a line of rendered text comes from. */
export interface Origin {
  uri: string;
  line: number;
  character: number;
}

const STYLE = `body { font-family: var(--vscode-editor-font-family); font-size: var(--vscode-editor-font-size); }
pre { margin: 0; } .line { cursor: pointer; white-space: pre; } .line:hover { background: var(--vscode-editor-hoverHighlightBackground); }
.number { color: var(--vscode-editorLineNumber-foreground); display: inline-block; min-width: 3em; user-select: none; }
.from { color: var(--vscode-descriptionForeground); padding-left: 3em; }`;

/** Text as HTML shows it. */
export function escape(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (c) => names[c] ?? c);
}

function page(title: string, body: string, script: string): string {
  const nonce = Array.from({ length: 24 }, () => "abcdefghijklmnopqrstuvwxyz"[Math.floor(Math.random() * 26)]).join("");
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html><html><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}"><style>${STYLE}</style></head>
<body><h3>${escape(title)}</h3>${body}<script nonce="${nonce}">${script}</script></body></html>`;
}

/** A rendered file: each line knows its source. */
export function renderedPage(rendered: { peel: string; text: string; origins: (Origin | null)[] }): string {
  const lines = rendered.text.replace(/\n$/, "").split("\n");
  const body = lines
    .map((line, at) => {
      const origin = rendered.origins[at];
      const data = origin ? ` data-origin="${escape(JSON.stringify(origin))}"` : "";
      const from = origin ? `<span class="from">${escape(origin.uri.split("/").pop() ?? "")}:${origin.line + 1}</span>` : "";
      return `<div class="line"${data}><span class="number">${at + 1}</span>${escape(line)}${from}</div>`;
    })
    .join("");
  const script = `const editor = acquireVsCodeApi();
document.querySelectorAll("[data-origin]").forEach((line) =>
  line.addEventListener("click", () => editor.postMessage(JSON.parse(line.dataset.origin))));`;
  return page(`Rendered for ${rendered.peel}`, `<pre>${body}</pre>`, script);
}

/** A plan as text. */
export function planPage(plan: { peel: string; text: string }): string {
  return page(`Plan of ${plan.peel}`, `<pre>${escape(plan.text)}</pre>`, "");
}

/** A plan as the text of a Mermaid graph, which Markdown previews and Mermaid's own tools draw. */
export function graphPage(plan: { peel: string; text: string }): string {
  return page(`Graph of ${plan.peel} (Mermaid)`, `<pre class="mermaid">${escape(plan.text)}</pre>`, "");
}
