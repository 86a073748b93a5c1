// A file from its text to what it wants: every document by its kind. The only door to this folder for whoever has a file.

import { compilePipeline, type PipelineFile } from './compile.ts';
import { Findings } from './findings.ts';
import { hint, inOrder, shown, type FileProblem } from './problem.ts';
import { PipelineSchema } from './schema.ts';
import { shapeOf, validatorOf, within } from './shape.ts';
import { readDocuments, type SourceDocument } from './source.ts';

/** What a file says. With problems nothing of it should be used. */
export interface FileContent {
  readonly pipelines: readonly PipelineFile[];
  readonly problems: readonly FileProblem[];
  /** What is written and has no effect. */
  readonly warnings: readonly FileProblem[];
}

const kinds = ['Pipeline'];
const pipelineValidator = validatorOf(PipelineSchema);

/** Reads the text of one file; `file` is how messages call it. */
export function readFileText(file: string, text: string): FileContent {
  const { documents, problems } = readDocuments(file, text);
  const read = documents.map(readDocument);
  return {
    pipelines: read.flatMap(({ pipeline }) => pipeline ?? []),
    problems: inOrder([...problems, ...read.flatMap((one) => one.problems)]),
    warnings: inOrder(read.flatMap((one) => one.warnings)),
  };
}

function readDocument(document: SourceDocument): { readonly pipeline?: PipelineFile | undefined; readonly problems: readonly FileProblem[]; readonly warnings: readonly FileProblem[] } {
  const { file, value } = document;
  const kind = within(value, ['kind']);
  if (kind !== 'Pipeline' && kind !== undefined) {
    const text = typeof kind === 'string' ? kind : '';
    return { problems: [{ file, ...document.at(['kind']), message: `${shown(kind)} is not a kind of file that is read here${hint(text, kinds)}` }], warnings: [] };
  }
  const shaped = shapeOf(document, pipelineValidator());
  if (shaped.kind === 'differs') return { problems: shaped.problems, warnings: [] };
  const findings = new Findings(document);
  const pipeline = compilePipeline(document, shaped.value, findings);
  return { pipeline, problems: findings.problems, warnings: findings.warnings };
}
