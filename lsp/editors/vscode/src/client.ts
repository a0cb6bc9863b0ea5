// How the client and the server are set up. Nothing here needs a running editor, so tests use it as it is.

import type { LanguageClientOptions, ServerOptions } from "vscode-languageclient/node";

/** What a user can choose. */
export interface Settings {
  /** The program `zester`. */
  path: string;
  /** The peel whose values are shown. */
  peel: string | null;
  /** A file of facts for it. */
  facts: string | null;
  inlayHints: boolean;
  codeLens: boolean;
  /** Most files and directories that are read of a folder. */
  maxFiles: number | null;
}

/** The command line of the server. */
export function serverCommand(settings: Settings): { command: string; args: string[] } {
  return { command: settings.path, args: ["lsp"] };
}

/** How the client starts the server. */
export function serverOptions(settings: Settings): ServerOptions {
  const run = serverCommand(settings);
  return { run, debug: run };
}

/** What the server is told at its start. */
export function initializationOptions(settings: Settings): object {
  return {
    peel: settings.peel ?? undefined,
    facts: settings.facts ?? undefined,
    inlayHints: settings.inlayHints,
    codeLens: settings.codeLens,
    maxFiles: settings.maxFiles ?? undefined,
  };
}

/** Which documents the client is for. */
export function clientOptions(settings: Settings): LanguageClientOptions {
  return {
    documentSelector: [
      { scheme: "file", language: "zester" },
      { scheme: "file", pattern: "**/zester.yaml" },
      { scheme: "file", pattern: "**/*.{jinja,j2}" },
    ],
    initializationOptions: initializationOptions(settings),
    synchronize: {},
  };
}
