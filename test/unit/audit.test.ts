import { judgeAudit } from "../tools/audit";

/** `npm run audit`: what the registry tells of the packages. */

const fault = (name: string, severity: string): object => ({
  [name]: { name, severity, range: "<1.2.3" },
});
const told = (...faults: object[]): string =>
  JSON.stringify({
    auditReportVersion: 2,
    vulnerabilities: Object.assign({}, ...faults) as object,
  });

test.each<[what: string, text: string, status: number, said: string]>([
  ["nothing", told(), 0, "0 packages with known faults, 0 of them high or critical"],
  [
    "a low one",
    told(fault("a", "low")),
    0,
    "1 packages with known faults, 0 of them high or critical",
  ],
  [
    "a high and a critical one",
    told(fault("a", "high"), fault("b", "moderate"), fault("c", "critical")),
    1,
    "high: a <1.2.3\ncritical: c <1.2.3\n3 packages with known faults, 2 of them high or critical",
  ],
  // As npm 10 prints it for a mirror without the endpoint.
  [
    "no answer",
    JSON.stringify({ message: "405 Method Not Allowed - POST https://mirror", error: {} }),
    0,
    "::warning::the registry does not answer the audit: 405 Method Not Allowed - POST https://mirror",
  ],
])("%s", (_what, text, status, said) => {
  expect(judgeAudit(text)).toEqual({ said, status });
});
