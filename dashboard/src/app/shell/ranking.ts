// What of the palette's lines fits what is typed, the best first.
import type { Command } from "@/lib/feature";

const EXACT = 100;
const BEGINS = 80;
const BEGINS_WORD = 60;
const INSIDE = 40;
const KEYWORD = 20; // what is not seen counts less than what is
const LETTERS = 5;
const LETTERS_AT_LEAST = 3;

/** All words must fit. Lines that have only the letters in their order are left out where another has the words. */
export function ranked(commands: readonly Command[], typed: string, most: number): Command[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [...commands];
  const scored = commands
    .map((command, place) => ({ command, place, score: score(command, typed.trim().toLowerCase(), words) }))
    .filter((each) => each.score > 0)
    .sort((a, b) => b.score - a.score || a.command.label.length - b.command.label.length || a.place - b.place);
  const best = scored[0]?.score ?? 0;
  return scored.filter((each) => best < KEYWORD || each.score >= KEYWORD).slice(0, most).map((each) => each.command);
}

/** The groups in the order of their best lines. */
export function groupsOf(commands: readonly Command[]): [string, Command[]][] {
  const groups = new Map<string, Command[]>();
  for (const command of commands) {
    const group = groups.get(command.group);
    if (group === undefined) groups.set(command.group, [command]);
    else group.push(command);
  }
  return [...groups];
}

function score({ label, keywords = [], group }: Command, typed: string, words: readonly string[]): number {
  const text = label.toLowerCase();
  if (text === typed) return EXACT;
  if (text.startsWith(typed)) return BEGINS;
  const hidden = [...keywords, group].map((each) => each.toLowerCase());
  return Math.min(...words.map((word) => scoreOfWord(text, hidden, word)));
}

function scoreOfWord(text: string, hidden: readonly string[], word: string): number {
  const parts = partsOf(text);
  if (text.includes(word)) return parts.some((part) => part.startsWith(word)) ? BEGINS_WORD : INSIDE;
  if (hidden.some((each) => partsOf(each).some((part) => part.startsWith(word)))) return KEYWORD;
  // "logs" is meant by "log", too.
  if (parts.some((part) => part.length >= LETTERS_AT_LEAST && word.startsWith(part))) return KEYWORD;
  return word.length >= LETTERS_AT_LEAST && hasLetters(text, word) ? LETTERS : 0;
}

function partsOf(text: string): string[] {
  return text.split(/[^\p{L}\p{N}]+/u);
}

/** Whether the letters occur in this order. */
function hasLetters(text: string, word: string): boolean {
  let from = 0;
  for (const letter of word) {
    from = text.indexOf(letter, from) + 1;
    if (from === 0) return false;
  }
  return true;
}
