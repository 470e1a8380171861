import '../styles/picker.css';
import '../styles/catalog.css';

export { DropTarget } from './drop-target';
export { ModelChoice } from './model-choice';
export { OfferCard } from './offer-card';
