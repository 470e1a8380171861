import '../styles/dialogs.css';
import type { FunctionComponent } from 'preact';
import type { DialogName } from '../state/dialog';
import { SearchDialog } from './search-dialog';
import { SettingsDialog } from './settings-dialog';
import { ShortcutsDialog } from './shortcuts-dialog';

export const DIALOGS: Readonly<Record<DialogName, FunctionComponent>> = {
  search: SearchDialog,
  settings: SettingsDialog,
  shortcuts: ShortcutsDialog,
};
