// On which host a run goes, and why on no other: hosts and a wish in, a host and the reasons out. Pure.
// It must not know of the store or of links, and has no memory: what hosts carry is told to it.
// The load of every host, as a share of its capacity, is kept as equal as the wishes allow.
export {
  type HostView,
  type Placement,
  place,
  type Refusal,
  type RefusalReason,
  type Wish,
} from './place.ts';
