import { words } from '../i18n/locale';
import { MODEL_MENU_ID } from '../state/error-action';
import { menuOpenings } from '../state/menu-opening';
import { LazyPicker } from './lazy-picker';
import { Menu } from './menu';

/** The model picker: the starter, what the person added, and where more models come from. */
export function ModelMenu() {
  return (
    <Menu
      id={MODEL_MENU_ID}
      title={words.value.models.title}
      class="menu-models"
      onOpen={() => {
        menuOpenings.value++;
      }}
    >
      <LazyPicker part="ModelChoice" />
    </Menu>
  );
}
