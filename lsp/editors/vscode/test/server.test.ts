// The client's own code against the real server: what it starts, what it is told, what it answers.

import assert = require("node:assert/strict");
import { ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  CompletionItem,
  CompletionList,
  CompletionRequest,
  createProtocolConnection,
  DefinitionRequest,
  Diagnostic,
  DidChangeTextDocumentNotification,
  DidOpenTextDocumentNotification,
  ExecuteCommandRequest,
  ExitNotification,
  HoverRequest,
  InitializedNotification,
  InitializeRequest,
  Location,
  MarkupContent,
  Position,
  ProtocolConnection,
  PublishDiagnosticsNotification,
  RenameRequest,
  ResponseError,
  SemanticTokensRequest,
  ShutdownRequest,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-languageserver-protocol/node";
import { clientOptions, initializationOptions, serverCommand, Settings } from "../src/client";
import { renderedPage } from "../src/page";

const settings: Settings = {
  path: process.env.ZESTER ?? "zester",
  peel: "web-01",
  facts: null,
  inlayHints: true,
  codeLens: true,
  maxFiles: null,
};
const text = `include:
  - common
nginx:
  pkg.installed: []
  service.running:
    - enable: true
    - require:
      - pkg: nginxx
/etc/motd:
  file.managed:
    - contents: {{ settings.motd }}
`;
const files: Record<string, string> = {
  "zester.yaml": "facts: [facts]\n",
  "facts/web-01.yaml": "os: {family: debian}\n",
  "states/common.zy": "tools:\n  pkg.installed: []\n",
  "states/web.zy": text,
  "states/top.zy": "base:\n  '*': [web]\n",
  "settings/top.zy": "base:\n  '*': [site]\n",
  "settings/site.zy": "motd: 'grüß dich'\n",
};

let dir: string;
let child: ChildProcess;
let connection: ProtocolConnection;
let version = 0;
const published = new Map<string, Diagnostic[]>();
const waiting: (() => void)[] = [];

const uri = (file: string) => pathToFileURL(path.join(dir, file)).toString();

function at(needle: string, more = 0): Position {
  const offset = text.indexOf(needle) + more;
  const lines = text.slice(0, offset).split("\n");
  return { line: lines.length - 1, character: lines[lines.length - 1].length };
}

async function diagnostics(file: string, wanted: (found: Diagnostic[]) => boolean): Promise<Diagnostic[]> {
  for (;;) {
    const found = published.get(uri(file));
    if (found && wanted(found)) {
      return found;
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
}

before(async () => {
  dir = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "zester-client-")));
  for (const [name, content] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    fs.writeFileSync(path.join(dir, name), content);
  }
  const { command, args } = serverCommand(settings);
  child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  connection = createProtocolConnection(new StreamMessageReader(child.stdout!), new StreamMessageWriter(child.stdin!));
  connection.onNotification(PublishDiagnosticsNotification.type, (params) => {
    published.set(params.uri, params.diagnostics);
    waiting.splice(0).forEach((go) => go());
  });
  connection.listen();
  const result = await connection.sendRequest(InitializeRequest.type, {
    processId: process.pid,
    rootUri: pathToFileURL(dir).toString(),
    workspaceFolders: [{ uri: pathToFileURL(dir).toString(), name: "project" }],
    initializationOptions: initializationOptions(settings),
    capabilities: { textDocument: { completion: { completionItem: { snippetSupport: true } } } },
  });
  assert.equal(result.capabilities.positionEncoding, "utf-16");
  await connection.sendNotification(InitializedNotification.type, {});
  await connection.sendNotification(DidOpenTextDocumentNotification.type, {
    textDocument: { uri: uri("states/web.zy"), languageId: "zester", version, text },
  });
});

after(async () => {
  await connection.sendRequest(ShutdownRequest.type);
  await connection.sendNotification(ExitNotification.type);
  const code = await new Promise((resolve) => child.on("exit", resolve));
  assert.equal(code, 0);
  connection.dispose();
  fs.rmSync(dir, { recursive: true });
});

test("the client is for the right documents", () => {
  const selector = clientOptions(settings).documentSelector as { language?: string; pattern?: string }[];
  assert.ok(selector.some((s) => s.language === "zester") && selector.some((s) => s.pattern === "**/zester.yaml"));
});

test("diagnostics come, and go when the text is right", async () => {
  const found = await diagnostics("states/web.zy", (d) => d.length > 0);
  assert.equal(found[0].code, "Z0301");
  assert.equal(found[0].source, "zester");
  await connection.sendNotification(DidChangeTextDocumentNotification.type, {
    textDocument: { uri: uri("states/web.zy"), version: ++version },
    contentChanges: [{ range: { start: at("nginxx", 5), end: at("nginxx", 6) }, text: "" }],
  });
  await diagnostics("states/web.zy", (d) => d.length === 0);
});

test("completion, hover, definition", async () => {
  const document = { uri: uri("states/web.zy") };
  const list = (await connection.sendRequest(CompletionRequest.type, {
    textDocument: document,
    position: at("- enable", 4),
  })) as CompletionList;
  assert.ok(list.items.some((i: CompletionItem) => i.label === "enable"));
  const hover = await connection.sendRequest(HoverRequest.type, { textDocument: document, position: at("motd }}", 1) });
  const value = (hover?.contents as MarkupContent).value;
  assert.match(value, /On `web-01`: `grüß dich`/);
  const places = (await connection.sendRequest(DefinitionRequest.type, {
    textDocument: document,
    position: at("- common", 3),
  })) as Location[];
  assert.equal(places[0].uri, uri("states/common.zy"));
});

test("renames reach other files, and are refused with a reason", async () => {
  const edit = await connection.sendRequest(RenameRequest.type, {
    textDocument: { uri: uri("states/web.zy") },
    position: at("settings.motd", 10),
    newName: "welcome",
  });
  assert.deepEqual(Object.keys(edit?.changes ?? {}).sort(), [uri("settings/site.zy"), uri("states/web.zy")]);
  const refused = connection.sendRequest(RenameRequest.type, {
    textDocument: { uri: uri("states/web.zy") },
    position: at("service.running", 10),
    newName: "x",
  });
  await assert.rejects(refused, (error: ResponseError<unknown>) => /belongs|function of the library/.test(error.message));
});

test("the preview shows a file for the chosen peel, with sources of lines", async () => {
  const found = await connection.sendRequest(ExecuteCommandRequest.type, {
    command: "zester.render",
    arguments: [{ uri: uri("states/web.zy") }],
  });
  assert.match(found.text, /contents: grüß dich/);
  const page = renderedPage(found);
  assert.match(page, /Rendered for web-01/);
  assert.match(page, /web.zy:11/);
  assert.ok(!page.includes("<script>"));
});

test("colours answer", async () => {
  const document = { uri: uri("states/web.zy") };
  const tokens = await connection.sendRequest(SemanticTokensRequest.type, { textDocument: document });
  assert.ok((tokens?.data.length ?? 0) > 20 && tokens!.data.length % 5 === 0);
});
