/** Python with its words, texts and numbers in hues. */

import { h } from '../lib/dom';

const PYTHON =
  /(#[^\n]*)|("""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)|\b(and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|match|nonlocal|not|or|pass|raise|return|try|while|with|yield|None|True|False)\b|\b(\d[\d_.]*(?:e[+-]?\d+)?j?)\b/g;
const KINDS = ['comment', 'string', 'keyword', 'number'] as const;

/** Return code as text and coloured pieces of it. */
export function highlighted(code: string): (string | HTMLElement)[] {
  const parts: (string | HTMLElement)[] = [];
  let end = 0;
  for (const match of code.matchAll(PYTHON)) {
    const kind = KINDS[match.slice(1).findIndex(group => group !== undefined)];
    if (!kind) continue;
    parts.push(code.slice(end, match.index), h(`span.${kind}`, {}, match[0]));
    end = match.index + match[0].length;
  }
  return [...parts, code.slice(end)];
}
