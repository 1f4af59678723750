// What Node.js does with TypeScript, for Jest, which loads files by itself.
const { stripTypeScriptTypes } = require('node:module');

module.exports = { process: source => ({ code: stripTypeScriptTypes(source) }) };
