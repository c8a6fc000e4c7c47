/** The page that is nothing but the REPL. */

import './styles/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import { byId, showIcons } from './lib/dom';
import { rememberedPreferences } from './preferences';
import { mountRepl } from './repl/repl';
import { takeToken, token } from './repl/token';
import { mountTheme } from './theme';

showIcons();
mountTheme(rememberedPreferences());
takeToken();
mountRepl(byId('repl'), token(), null).focus();
