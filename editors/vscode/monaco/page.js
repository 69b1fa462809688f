// The extension's TextMate grammar in Monaco, the editor component of Visual Studio Code.
import * as monaco from 'monaco-editor/esm/vs/editor/editor.api';
import { INITIAL, Registry } from 'vscode-textmate';
import { createOnigScanner, createOnigString, loadWASM } from 'vscode-oniguruma';
import wasm from 'vscode-oniguruma/release/onig.wasm';
import grammar from '../syntaxes/imm.tmLanguage.json';
import program from '../../../examples/hello/main.imm';

// The scopes that the grammar uses, in the colours of Visual Studio Code's dark theme.
const COLOURS = [
  ['comment', '6A9955'], ['string', 'CE9178'], ['constant.numeric', 'B5CEA8'], ['keyword.control', 'C586C0'],
  ['keyword.operator', 'D4D4D4'], ['keyword', '569CD6'], ['storage', '569CD6'], ['constant.language', '569CD6'],
  ['variable.language', '569CD6'], ['entity.name.function', 'DCDCAA'], ['support.function', 'DCDCAA'],
  ['entity.name.type', '4EC9B0'], ['support.type', '4EC9B0'], ['variable.other.constant', '4FC1FF'],
  ['variable.other.enummember', '4EC9B0'], ['variable', '9CDCFE'],
];

async function render() {
  await loadWASM(wasm.buffer);
  const registry = new Registry({
    onigLib: Promise.resolve({ createOnigScanner, createOnigString }),
    loadGrammar: async () => grammar,
  });
  const imm = await registry.loadGrammar('source.imm');
  monaco.languages.register({ id: 'imm' });
  monaco.languages.setTokensProvider('imm', {
    getInitialState: () => state(INITIAL),
    tokenize(line, { stack }) {
      const { tokens, ruleStack } = imm.tokenizeLine(line, stack);
      const named = tokens.map((token) => ({ startIndex: token.startIndex, scopes: colour(token.scopes) }));
      return { tokens: named, endState: state(ruleStack) };
    },
  });
  const rules = COLOURS.map(([scope, foreground]) => ({ token: name(scope), foreground }));
  monaco.editor.defineTheme('imm', { base: 'vs-dark', inherit: true, colors: {}, rules });
  const editor = monaco.editor.create(document.body, {
    value: program, language: 'imm', theme: 'imm', minimap: { enabled: false }, fontSize: 15, renderLineHighlight: 'none',
  });
  // Otherwise it waits until nothing is to be done, and the picture is taken before.
  editor.getModel().tokenization.forceTokenization(editor.getModel().getLineCount());
  editor.render(true);
}

function state(stack) {
  return { stack, clone: () => state(stack), equals: (other) => other.stack === stack };
}

function name(scope) {
  return scope.replaceAll('.', '-');
}

/** The innermost scope that has a colour. */
function colour(scopes) {
  for (const scope of [...scopes].reverse()) {
    const known = COLOURS.find(([prefix]) => scope.startsWith(prefix));
    if (known) return name(known[0]);
  }
  return '';
}

render();
