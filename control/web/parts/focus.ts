// Whose the focus is when an answer comes: somebody who waited has perhaps gone on to something else meanwhile, and writes there.

/** Whether the focus is within a part, or nowhere: then the part may move it. */
export function mayMoveFocus(part: Element | null): boolean {
  const { activeElement, body } = document;
  return activeElement === null || activeElement === body || (part?.contains(activeElement) ?? false);
}
