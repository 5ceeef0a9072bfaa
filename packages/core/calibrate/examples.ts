/** Reads the labelled prompts, and says which belong together when some are left out. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type TextFeatures, textFeatures } from '../src/complexity/features.ts';
import { type Language, TRAFFIC } from './traffic.ts';

export const SETS = ['mmlu', 'gsm8k', 'llmrouter'] as const;
export type Source = (typeof SETS)[number] | 'traffic';

export interface Example {
  readonly source: Source;
  readonly text: string;
  readonly features: TextFeatures;
  /** What the strong model gains over the weak one. */
  readonly gap: number;
  /** What is left out together where the question is whether it carries over to other subjects. */
  readonly subject: string;
  readonly language: Language;
}

export const TIERS = ['local', 'standard', 'frontier'] as const;

const STRONG = 'llama-3.1-nemotron-51b-instruct';
const WEAK = 'mistral-7b-instruct-v0.3';

interface Labelled {
  readonly prompt: string;
  readonly strong?: number;
  readonly weak?: number;
  readonly domain?: string;
  readonly scores?: Readonly<Record<string, number>>;
}

/** Family of a task, told by its form: LLMRouter mixes several and does not name them. */
function familyOf(text: string): string {
  if (/^Q: There (?:is|are)/.test(text)) return 'house puzzles';
  if (/ {2,}_ {2,}\./.test(text)) return 'cloze';
  if (/boxed|\$.*\$.*\?|how (?:many|much)/i.test(text)) return 'word problems';
  if (/^(?:write|create) a (?:python )?function|^write/i.test(text)) return 'code';
  if (/^[a-z]/.test(text)) return 'lookup';
  return text.length < 130 ? 'short' : 'long';
}

export function readExamples(folder: string): Example[] {
  const examples: Example[] = [];
  for (const source of SETS) {
    const lines = readFileSync(path.join(folder, `${source}.jsonl`), 'utf8')
      .trim()
      .split('\n');
    for (const line of lines) {
      const { prompt, strong, weak, domain, scores } = JSON.parse(line) as Labelled;
      const gap = scores === undefined ? strong! - weak! : scores[STRONG]! - scores[WEAK]!;
      const subject = domain ?? (source === 'llmrouter' ? familyOf(prompt) : source);
      const features = textFeatures(prompt);
      examples.push({ source, text: prompt, features, gap, subject, language: 'en' });
    }
  }
  for (const { kind, tier, language, text } of TRAFFIC) {
    const features = textFeatures(text);
    examples.push({
      source: 'traffic',
      text,
      features,
      gap: tier / 2,
      subject: `${kind}, ${TIERS[tier]}`,
      language,
    });
  }
  return examples;
}

/** Mean gap per source: which set a prompt is from must not be what is learned. */
export function meansOf(examples: readonly Example[]): Map<Source, number> {
  const sums = new Map<Source, [sum: number, count: number]>();
  for (const { source, gap } of examples) {
    const [sum, count] = sums.get(source) ?? [0, 0];
    sums.set(source, [sum + gap, count + 1]);
  }
  return new Map(Array.from(sums, ([source, [sum, count]]) => [source, sum / count]));
}
