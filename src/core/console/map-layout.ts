/** Where members stand on the map: this one in the middle, the others around it, so that every link is a line of its own. */

export interface Place {
  x: number;
  y: number;
}

export interface MapLayout {
  width: number;
  height: number;
  self: Place;
  /** By name. */
  places: Map<string, Place>;
  /** So many that there is room for names alone. */
  dense: boolean;
}

interface Ring {
  rx: number;
  ry: number;
}

/** For a name, a figure and what is around them. */
const ROOM_EACH = 104;
/** Up to here one ring has room for all that is to be said. */
const MAX_SPARSE = 12;
const SPARSE = { width: 1000, height: 520, rings: [{ rx: 370, ry: 178 }] };
const DENSE = {
  width: 1200,
  height: 780,
  rings: [
    { rx: 535, ry: 335 },
    { rx: 375, ry: 222 },
    { rx: 215, ry: 118 },
  ],
};
const STEPS = 720;

/** The same members have the same places each time. @param names in the order in which they are to stand */
export function layOut(names: readonly string[]): MapLayout {
  const dense = names.length > MAX_SPARSE;
  const { width, height, rings } = dense ? DENSE : SPARSE;
  const self = { x: width / 2, y: height / 2 };
  const places = new Map<string, Place>();
  let from = 0;
  for (const [at, ring] of rings.entries()) {
    const isLast = at === rings.length - 1;
    const left = names.length - from;
    const count = isLast ? left : Math.min(left, shareOf(rings, at, names.length));
    const standing = names.slice(from, from + count);
    from += count;
    // Rings are turned against each other, so that links to the outer ones pass between the members of the inner ones.
    evenly(ring, count, at % 2 === 0 ? 0 : 0.5).forEach((place, index) => {
      const name = standing[index];
      if (name !== undefined) places.set(name, { x: self.x + place.x, y: self.y + place.y });
    });
  }
  return { width, height, self, places, dense };
}

/** How many of all stand on a ring: as many as there is room, and when all do not need it, in proportion to that. */
function shareOf(rings: readonly Ring[], at: number, all: number): number {
  const rooms = rings.map((ring) => Math.max(1, Math.floor(lengthOf(ring) / ROOM_EACH)));
  const total = rooms.reduce((sum, room) => sum + room, 0);
  const room = rooms[at] ?? 1;
  return Math.ceil(Math.max(room, (room * all) / total) * Math.min(1, all / total));
}

function pointAt({ rx, ry }: Ring, step: number): Place {
  const angle = (step / STEPS) * 2 * Math.PI - Math.PI / 2;
  return { x: rx * Math.cos(angle), y: ry * Math.sin(angle) };
}

/** Lengths along the ring up to each step. */
function lengthsOf(ring: Ring): number[] {
  const lengths = [0];
  for (let step = 1; step <= STEPS; step += 1) {
    const [a, b] = [pointAt(ring, step - 1), pointAt(ring, step)];
    lengths.push((lengths.at(-1) ?? 0) + Math.hypot(b.x - a.x, b.y - a.y));
  }
  return lengths;
}

function lengthOf(ring: Ring): number {
  return lengthsOf(ring).at(-1) ?? 0;
}

/** Places at the same distance from each other along the ring, beginning at its top. @param turn of one distance */
function evenly(ring: Ring, count: number, turn: number): Place[] {
  if (count === 0) return [];
  const lengths = lengthsOf(ring);
  const whole = lengths.at(-1) ?? 0;
  // Two stand left and right: above each other they would be near.
  const start = count === 2 ? 0.5 : turn;
  return [...Array(count).keys()].map((index) => {
    const wanted = (((index + start) / count) % 1) * whole;
    const step = lengths.findIndex((length) => length >= wanted);
    return pointAt(ring, step);
  });
}
