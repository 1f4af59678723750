export { dashboard, type Dashboard } from './dashboard.ts';
export type { AuthorizeRequest, DashboardOptions } from './options.ts';
export type { DashboardSource } from './reports.ts';
