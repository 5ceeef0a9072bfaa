/** Zod checks what comes in; what goes out is our own and is only written. */
import type { FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify/types/schema.js';
import type { z } from 'zod';
import { VaultError } from '../errors.ts';

export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  const where = httpPart ?? 'request';
  return (data: unknown) => {
    const result = schema.safeParse(data);
    if (result.success) return { value: result.data };
    // A misspelt name explains the missing one, so it comes first.
    const { issues } = result.error;
    const unknown = issues.find(({ code }) => code === 'unrecognized_keys');
    return { error: invalidRequest(unknown ?? issues[0]!, where) };
  };
};

/** Answers are checked against their schemas by the tests, not on every request. */
export const serializerCompiler: FastifySerializerCompiler<unknown> = () => (data) =>
  JSON.stringify(data);

function invalidRequest(issue: z.core.$ZodIssue, where: string): VaultError {
  if (issue.code === 'unrecognized_keys') {
    const param = [...issue.path, issue.keys[0]].join('.');
    return new VaultError('invalid_request', `unknown field ${JSON.stringify(param)}`, { param });
  }
  const param = issue.path.join('.');
  if (param === '') {
    return new VaultError('invalid_request', `${where}: ${issue.message}`);
  }
  return new VaultError('invalid_request', `${param}: ${issue.message}`, { param });
}
