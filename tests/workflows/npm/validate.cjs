// Validates state machine definitions: standard input is {NAME: text}, standard output {NAME: [problem, …]}.
// NODE_PATH has the packages of package-lock.json.

const fs = require("node:fs");
const { getLanguageService, TextDocument } = require("amazon-states-language-service");
const validate = require("asl-validator");

const service = getLanguageService({});

async function listProblems(text) {
  const document = TextDocument.create("file:///definition.asl.json", "asl", 1, text);
  const found = await service.doValidation(document, service.parseJSONDocument(document));
  const problems = found.map(({ message, range }) => `language service, line ${range.start.line + 1}: ${message}`);
  // It adds members to the definition, and so gets a copy of its own.
  const { errors } = validate(JSON.parse(text));
  return [...problems, ...errors.map((error) => `asl-validator: ${JSON.stringify(error)}`)];
}

async function main() {
  const definitions = Object.entries(JSON.parse(fs.readFileSync(0, "utf8")));
  const reports = definitions.map(async ([name, text]) => [name, await listProblems(text)]);
  process.stdout.write(JSON.stringify(Object.fromEntries(await Promise.all(reports))));
}

main();
