import { describe, expect, it } from 'vitest';
import { CALIBRATED } from '../../src/complexity/score.ts';
import type { PolicyRule } from '../../src/config/types.ts';
import { type FloorInput, floorOf, readComplexity, tierOfScore } from '../../src/policy/floor.ts';

const routing = {
  floorConcreteModels: false,
  thresholdLow: 0.4,
  thresholdHigh: 0.7,
  weights: CALIBRATED.weights,
};
const rule = (minTier: PolicyRule['minTier']): PolicyRule => ({
  name: 'p',
  allowedModels: null,
  allowedProviders: null,
  strategy: null,
  maxOutputMsatPerMtok: null,
  maxRequestMsat: null,
  minTier,
  strictTier: false,
  rescue: null,
  keywords: null,
});
const floor = (input: Partial<FloorInput>) =>
  floorOf({ complexity: null, score: 0.9, isVirtual: false, rule: null, routing, ...input });

describe('the floor', () => {
  it('is none for a concrete model that nobody speaks of', () => {
    expect(floor({})).toBeNull();
  });

  it('follows the score for a virtual model, or where the operator wants it for all', () => {
    expect(floor({ isVirtual: true })).toBe('frontier');
    expect(floor({ routing: { ...routing, floorConcreteModels: true } })).toBe('frontier');
  });

  it('is what the caller says, also for a concrete model, and instead of the score', () => {
    expect(floor({ complexity: 'medium' })).toBe('standard');
    expect(floor({ complexity: 'low', isVirtual: true })).toBe('local');
  });

  it('is never below the policy', () => {
    expect(floor({ complexity: 'low', rule: rule('standard') })).toBe('standard');
    expect(floor({ isVirtual: true, rule: rule('standard') })).toBe('frontier');
    expect(floor({ rule: rule('local') })).toBe('local');
    expect(floor({ rule: rule(null) })).toBeNull();
  });

  it('takes the thresholds themselves for standard', () => {
    expect([0.39, 0.4, 0.7, 0.71].map((score) => tierOfScore(score, routing))).toEqual([
      'local',
      'standard',
      'standard',
      'frontier',
    ]);
  });
});

it('reads what a caller says, and refuses what it does not know', () => {
  expect(readComplexity(null)).toBeNull();
  expect(readComplexity(' HIGH ')).toBe('high');
  for (const bad of ['', 'highest', 'constructor']) {
    expect(readComplexity(bad)).toMatchObject({ status: 400, param: 'X-Arbstr-Complexity' });
  }
});
