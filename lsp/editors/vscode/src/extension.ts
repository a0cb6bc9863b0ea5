// The extension: starts the language server, and shows what it makes of files for a peel.

import * as vscode from "vscode";
import { LanguageClient } from "vscode-languageclient/node";
import { clientOptions, serverOptions, Settings } from "./client";
import { Previews } from "./preview";

let client: LanguageClient | undefined;

function settings(): Settings {
  const section = vscode.workspace.getConfiguration("zester");
  return {
    path: section.get<string>("server.path", "zester"),
    peel: section.get<string | null>("peel", null),
    facts: section.get<string | null>("facts", null),
    inlayHints: section.get<boolean>("inlayHints", true),
    codeLens: section.get<boolean>("codeLens", true),
    maxFiles: section.get<number | null>("maxFiles", null),
  };
}

async function start(): Promise<void> {
  const chosen = settings();
  client = new LanguageClient("zester", "Zester", serverOptions(chosen), clientOptions(chosen));
  await client.start();
}

/** Starts the client and registers the commands. */
export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const previews = new Previews((command, argument) => {
    if (!client) {
      return Promise.reject(new Error("the language server is not running"));
    }
    return client.sendRequest("workspace/executeCommand", { command, arguments: [argument] });
  });
  const command = (name: string, run: (...args: unknown[]) => unknown) =>
    context.subscriptions.push(vscode.commands.registerCommand(name, run));
  command("zester.preview", () => previews.render());
  command("zester.previewPlan", () => previews.plan());
  command("zester.previewGraph", () => previews.graph());
  command("zester.choosePeel", () => choosePeel());
  command("zester.restart", async () => {
    await client?.stop();
    await start();
  });
  command("zester.showReferences", (uri, position, places) => showReferences(uri, position, places));
  context.subscriptions.push(previews);
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("zester.server.path")) {
        void vscode.commands.executeCommand("zester.restart");
      } else if (event.affectsConfiguration("zester")) {
        void client?.sendNotification("workspace/didChangeConfiguration", { settings: { zester: settings() } });
      }
    }),
  );
  await start();
}

/** Stops the server. */
export function deactivate(): Thenable<void> | undefined {
  return client?.stop();
}

interface Place {
  uri: string;
  range: { start: { line: number; character: number }; end: { line: number; character: number } };
}

function showReferences(uri: unknown, position: unknown, places: unknown): Thenable<unknown> {
  const at = position as Place["range"]["start"];
  const locations = (places as Place[]).map(
    (place) =>
      new vscode.Location(
        vscode.Uri.parse(place.uri),
        new vscode.Range(place.range.start.line, place.range.start.character, place.range.end.line, place.range.end.character),
      ),
  );
  return vscode.commands.executeCommand(
    "editor.action.showReferences",
    vscode.Uri.parse(uri as string),
    new vscode.Position(at.line, at.character),
    locations,
  );
}

async function choosePeel(): Promise<void> {
  const uri = vscode.window.activeTextEditor?.document.uri.toString();
  try {
    const peels = await client?.sendRequest<string[]>("workspace/executeCommand", {
      command: "zester.peels",
      arguments: [{ uri }],
    });
    const items = [{ label: "(none)", peel: null as string | null }, ...(peels ?? []).map((peel) => ({ label: peel, peel }))];
    const chosen = await vscode.window.showQuickPick(items, { placeHolder: "The peel whose values are shown" });
    if (chosen) {
      await vscode.workspace.getConfiguration("zester").update("peel", chosen.peel, vscode.ConfigurationTarget.Workspace);
    }
  } catch (error) {
    void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
  }
}
