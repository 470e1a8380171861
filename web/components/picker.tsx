import '../styles/picker.css';

export { DropTarget } from './drop-target';
export { ModelChoice } from './model-choice';
export { OfferCard } from './offer-card';
