// Conditions of analysis steps, such as `result < 0.01` or `result >= 0.05 && result < 1`: what a measured number is held against.
// Only comparisons of `result` with numbers, joined by && and ||, where && binds closer; anything else is refused when it is saved.

/** Alternatives, each a list of comparisons that all must hold. */
export type Condition = readonly (readonly Comparison[])[];

interface Comparison {
  readonly operator: '<' | '<=' | '>' | '>=' | '==' | '!=';
  readonly bound: number;
}

const comparison = /^result *(<=|>=|==|!=|<|>) *(-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)$/i;
const textLengthMax = 200;

/** The condition that a text says; undefined when it says none. */
export function readCondition(text: string): Condition | undefined {
  if (text.length > textLengthMax) return undefined;
  const alternatives = text.split('||').map((part) => part.split('&&').map((one) => readComparison(one.trim())));
  const whole = alternatives.map((all) => all.flatMap((one) => (one === undefined ? [] : [one])));
  return whole.every((all, index) => all.length === alternatives[index]?.length) ? whole : undefined;
}

function readComparison(text: string): Comparison | undefined {
  const [, sign, bound] = comparison.exec(text) ?? [];
  const operator = operators.find((known) => known === sign);
  return operator === undefined || bound === undefined ? undefined : { operator, bound: Number(bound) };
}

const operators = ['<', '<=', '>', '>=', '==', '!='] as const;

/** Whether `result` meets the condition. */
export function meets(condition: Condition, result: number): boolean {
  return condition.some((all) => all.every((one) => compare(one, result)));
}

function compare({ operator, bound }: Comparison, result: number): boolean {
  switch (operator) {
    case '<':
      return result < bound;
    case '<=':
      return result <= bound;
    case '>':
      return result > bound;
    case '>=':
      return result >= bound;
    case '==':
      return result === bound;
    case '!=':
      return result !== bound;
    default:
      return operator satisfies never;
  }
}
