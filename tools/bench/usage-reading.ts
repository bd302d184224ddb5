// Compares the CPU time of reading the usage of a 5 MB embeddings answer with one native search of the same bytes for a text
// that they do not contain. The result is the ratio. No sockets: their CPU time is more than a hundred times as long.
import {
  DOCUMENT_PLACES,
  DOCUMENT_TYPES,
  createDocument,
  cutDocument,
  readUsage,
} from "./embeddings-document.ts";

const ROUNDS = 9;
/** Documents per measurement, because many kernels count CPU time in ticks of 4 ms, and one document takes 0.1 ms. */
const DOCUMENTS = 400;
/** Size of the chunks in which undici delivers a fast response. */
const CHUNK_BYTES = 65_536;
/** Sizes of the chunks of slower responses. They are reported, and have no budget. */
const SMALL_CHUNK_BYTES = [16_384, 1_460];
/** Maximum CPU time of reading the usage, as a multiple of the search. */
const BUDGET = 2;
/** Begins with a letter: a search for a text that begins with a quote pauses at every string, and takes up to 30 times as long. */
const ABSENT = 'absent"';

/** @returns CPU time of one call, in µs. */
function measureUs(work: () => void): number {
  const before = process.threadCpuUsage();
  for (let count = 0; count < DOCUMENTS; count++) work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / DOCUMENTS;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

/** Compares both on one document. Measures them alternately, so that other load affects both. */
function compare(body: Buffer, chunkBytes: number) {
  const chunks = cutDocument(body, chunkBytes);
  const found: { readUs: number; searchUs: number }[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const readUs = measureUs(() => readUsage(chunks));
    const searchUs = measureUs(() => {
      if (body.includes(ABSENT)) throw new Error("the text must be absent");
    });
    // The first round compiles the code.
    if (round > 0) found.push({ readUs, searchUs });
  }
  return {
    readUs: median(found.map(({ readUs }) => readUs)),
    searchUs: median(found.map(({ searchUs }) => searchUs)),
    ratio: median(found.map(({ readUs, searchUs }) => readUs / searchUs)),
  };
}

let passed = true;
for (const type of DOCUMENT_TYPES)
  for (const place of DOCUMENT_PLACES)
    for (const size of [CHUNK_BYTES, ...SMALL_CHUNK_BYTES]) {
      const { readUs, searchUs, ratio } = compare(createDocument(type, place), size);
      passed &&= size !== CHUNK_BYTES || ratio <= BUDGET;
      process.stdout.write(
        `${type}, usage ${place}, chunks of ${size} bytes: ` +
          `${readUs.toFixed(0)} µs, search ${searchUs.toFixed(0)} µs, ratio ${ratio.toFixed(2)}\n`,
      );
    }
process.exit(passed ? 0 : 1);
