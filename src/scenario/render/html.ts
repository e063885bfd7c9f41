import type { MapPicture, RunReport } from "../report.ts";

export const renderHtml = (report: RunReport, _frames: readonly MapPicture[]): string => report.verdict;
