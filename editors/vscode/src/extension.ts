// The extension: starts `imm lsp` and offers what belongs to the terminal. What the program means is the server's part.

import * as path from 'node:path';
import * as vscode from 'vscode';
import { LanguageClient, TransportKind } from 'vscode-languageclient/node';

let client: LanguageClient | undefined;

function program(): string {
  return vscode.workspace.getConfiguration('imm').get<string>('path') || 'imm';
}

async function start(): Promise<void> {
  const server = { command: program(), args: ['lsp'], transport: TransportKind.stdio };
  client = new LanguageClient('imm', 'imm', server, {
    documentSelector: [{ scheme: 'file', language: 'imm' }],
  });
  try {
    await client.start();
  } catch {
    const answer = await vscode.window.showErrorMessage(
      `imm: \`${program()} lsp\` did not start. Install imm, or name it in the setting imm.path.`,
      'Open settings',
    );
    if (answer) {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'imm.path');
    }
  }
}

/** The module of the open file: its folder, or the folder that a code lens names. */
function module(argument: unknown): string | undefined {
  if (typeof argument === 'string') {
    return argument;
  }
  const document = vscode.window.activeTextEditor?.document;
  return document?.languageId === 'imm' && document.uri.scheme === 'file' ? path.dirname(document.uri.fsPath) : undefined;
}

/** Runs `imm` in the terminal, where its questions can be answered. */
function inTerminal(words: string[]): (argument: unknown) => void {
  return (argument) => {
    const folder = module(argument);
    if (!folder) {
      void vscode.window.showInformationMessage('imm: open a .imm file first.');
      return;
    }
    const terminal = vscode.window.terminals.find((t) => t.name === 'imm') ?? vscode.window.createTerminal('imm');
    terminal.show();
    const quoted = [program(), ...words, folder].map((word) => (/^[\w./-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`));
    terminal.sendText(quoted.join(' '));
  };
}

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  context.subscriptions.push(
    vscode.commands.registerCommand('imm.plan', inTerminal(['plan'])),
    vscode.commands.registerCommand('imm.apply', inTerminal(['apply'])),
    vscode.commands.registerCommand('imm.graph', inTerminal(['graph', '-C'])),
    vscode.commands.registerCommand('imm.restart', async () => {
      await client?.stop();
      await start();
    }),
  );
  await start();
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}
