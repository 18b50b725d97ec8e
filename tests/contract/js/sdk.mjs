// Runs the program in Node, with the SDK unchanged but for its base URL, and prints what it saw as one JSON object.
import { readFileSync } from "node:fs";
import { GoogleGenAI } from "@google/genai";
import { program } from "./program.mjs";

const [baseUrl, apiVersion, media, apiKey] = process.argv.slice(2);
const ai = new GoogleGenAI({ apiKey, httpOptions: { baseUrl, apiVersion } });
const png = readFileSync(`${media}/shapes.png`).toString("base64");
console.log(JSON.stringify(await program(ai, { pdf: `${media}/report.pdf`, png })));
