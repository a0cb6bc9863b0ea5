// The preview panel: a file as a peel renders it, a plan, a graph. A click on a line goes to its source.

import * as vscode from "vscode";
import { graphPage, Origin, planPage, renderedPage } from "./page";

type Run = (command: string, argument: object) => Promise<unknown>;

interface Rendered {
  peel: string;
  text: string;
  origins: (Origin | null)[];
}

interface Planned {
  peel: string;
  text: string;
}

/** One panel, that follows the file it was opened for. */
export class Previews implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;
  private uri: string | undefined;
  private readonly subscriptions: vscode.Disposable[] = [];

  constructor(private readonly run: Run) {
    this.subscriptions.push(
      vscode.workspace.onDidSaveTextDocument(() => {
        if (this.panel && this.uri) {
          void this.showRendered(this.uri);
        }
      }),
    );
  }

  /** The rendered text of the file in the editor. */
  async render(): Promise<void> {
    const uri = vscode.window.activeTextEditor?.document.uri.toString();
    if (!uri) {
      return;
    }
    this.uri = uri;
    await this.showRendered(uri);
  }

  /** The plan of the file in the editor. */
  async plan(): Promise<void> {
    this.uri = undefined;
    const uri = vscode.window.activeTextEditor?.document.uri.toString();
    await this.show("Plan", async () => planPage((await this.run("zester.plan", { uri })) as Planned));
  }

  /** The plan as a Mermaid graph. */
  async graph(): Promise<void> {
    this.uri = undefined;
    const uri = vscode.window.activeTextEditor?.document.uri.toString();
    await this.show("Graph", async () => graphPage((await this.run("zester.graph", { uri, form: "mermaid" })) as Planned));
  }

  private async showRendered(uri: string): Promise<void> {
    await this.show("Rendered", async () => renderedPage((await this.run("zester.render", { uri })) as Rendered));
  }

  private async show(title: string, page: () => Promise<string>): Promise<void> {
    let html: string;
    try {
      html = await page();
    } catch (error) {
      void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
      return;
    }
    if (!this.panel) {
      this.panel = vscode.window.createWebviewPanel("zester.preview", title, vscode.ViewColumn.Beside, {
        enableScripts: true,
      });
      this.panel.onDidDispose(() => (this.panel = undefined));
      this.panel.webview.onDidReceiveMessage((origin: Origin) => void open(origin));
    }
    this.panel.title = title;
    this.panel.webview.html = html;
  }

  dispose(): void {
    this.panel?.dispose();
    this.subscriptions.forEach((s) => s.dispose());
  }
}

async function open(origin: Origin): Promise<void> {
  const position = new vscode.Position(origin.line, origin.character);
  await vscode.window.showTextDocument(vscode.Uri.parse(origin.uri), {
    viewColumn: vscode.ViewColumn.One,
    selection: new vscode.Range(position, position),
  });
}
