/** Opens a dialog above everything; a click beside it closes it. The browser keeps the focus inside and gives it back. */
export function openModal(dialog: HTMLDialogElement): void {
  dialog.onclick = (event) => {
    // the backdrop counts as the dialog itself
    if (event.target === dialog) dialog.close();
  };
  dialog.showModal();
}
