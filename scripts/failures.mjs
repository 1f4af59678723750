/**
 * What of a report of vitest's JSON reporter failed: the name of each test with its file and what it said, and each file that
 * could not be loaded. For the end of a long run, of which often only the end is kept.
 * @param {{ testResults: readonly { name: string, status: string, message?: string, assertionResults: readonly { status: string, fullName: string, failureMessages?: readonly string[] | null }[] }[] }} report
 * @param {string} root what the files' names are relative to
 * @returns {string[]} a text for each
 */
export function failedTests({ testResults }, root) {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = name.startsWith(`${root}/`) ? name.slice(root.length + 1) : name;
    const failed = assertionResults.filter(test => test.status === 'failed');

    return [
      ...failed.map(({ fullName, failureMessages }) => text(`${file} > ${fullName}`, failureMessages ?? [])),
      // Of the file itself: it could not be loaded, or what comes before or after its tests has failed.
      ...(status === 'failed' && (message || failed.length === 0) ? [text(file, [message ?? ''])] : []),
    ];
  });
}

/**
 * What failed of the steps in an output: their `FAILED` lines, and what they printed below.
 * @param {string} output
 * @returns {string[]} a text for each
 */
export function failedSteps(output) {
  return [...output.matchAll(/^FAILED .*(?:\n {7}.*)*/gm)].map(([step]) => step);
}

/**
 * Of what failed without naming anything: the end of what it printed.
 * @param {string} name
 * @param {string} output
 */
export function endOf(name, output) {
  return text(name, [output.trimEnd().split('\n').slice(-linesOfMessage).join('\n')]);
}

/** Of a message this much: what was expected and the first frames. */
const linesOfMessage = 20;

/**
 * @param {string} name
 * @param {readonly string[]} messages
 */
function text(name, messages) {
  const said = messages.flatMap(message => message.trimEnd().split('\n').slice(0, linesOfMessage)).filter(Boolean);
  return [`FAILED ${name}`, ...said.map(line => `       ${line}`)].join('\n');
}
