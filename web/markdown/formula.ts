import 'temml/dist/Temml-Local.css';
import temml from 'temml';

const MATHML = 'http://www.w3.org/1998/Math/MathML';
/** Em. A formula must not be larger than an answer. */
const MAX_SIZE: [number, number] = [20, 40];
const MAX_EXPAND = 200;
/** Formulas of the paragraph that is being streamed are drawn again with every frame. */
const MAX_CACHED = 200;

const drawn = new Map<string, Element | null>();

/**
 * MathML of `tex`, or null where it cannot be read. Temml sets styles one by one through the CSSOM, which a policy without
 * inline styles allows, and with `trust` off it makes neither links nor images.
 */
export function formula(tex: string, isDisplay: boolean): Element | null {
  const key = `${isDisplay} ${tex}`;
  let element = drawn.get(key);
  if (element === undefined) {
    element = draw(tex, isDisplay);
    if (drawn.size >= MAX_CACHED) drawn.clear();
    drawn.set(key, element);
  }
  const copy = element?.cloneNode(true);
  return copy instanceof Element ? copy : null;
}

function draw(tex: string, isDisplay: boolean): Element | null {
  const host = document.createElement('span');
  try {
    temml.render(tex, host, {
      displayMode: isDisplay,
      throwOnError: true,
      trust: false,
      strict: false,
      maxSize: MAX_SIZE,
      maxExpand: MAX_EXPAND,
    });
  } catch (thrown) {
    // models write TeX that is no TeX: then it is shown as they wrote it
    if (thrown instanceof Error) return null;
    throw thrown;
  }
  const isMathOnly = [...host.querySelectorAll('*')].every(({ namespaceURI }) => namespaceURI === MATHML);
  return isMathOnly ? host.firstElementChild : null;
}
