import type { Model } from '../model.ts';

/** What the mapped entities tell of shapes and their columns, worked out once for each shape. One for each ORM. */
export class ModelFacts {
  readonly model: Model;

  constructor(model: Model) {
    this.model = model;
  }
}
