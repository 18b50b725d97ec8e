// Every documented call of the emulator through the official JavaScript SDK, in Node or in a page.
import { createPartFromUri, createUserContent } from "@google/genai";

async function all(pager) {
  const items = [];
  for await (const item of pager) items.push(item);
  return items;
}

async function failure(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { name: error.name, status: error.status, message: String(error.message) };
  }
}

// Gives what a program sees. `pdf` is what the SDK uploads as a file there: a path, or a Blob; `png` is base64.
export async function program(ai, { pdf, png }) {
  const model = "gemini-3.5-flash";
  const seen = {};

  const uploaded = await ai.files.upload({ file: pdf, config: { mimeType: "application/pdf" } });
  seen.uploaded = { state: uploaded.state, mimeType: uploaded.mimeType, sizeBytes: uploaded.sizeBytes };
  const large = await ai.files.upload({
    file: new Blob([new Uint8Array(20 * 1024 * 1024).fill(32)], { type: "text/plain" }),
    config: { mimeType: "text/plain", displayName: "spaces", name: "spaces-of-the-tests" },
  });
  seen.large = { name: large.name, sizeBytes: large.sizeBytes, displayName: large.displayName };
  seen.got = (await ai.files.get({ name: uploaded.name })).name === uploaded.name;
  seen.listed = (await all(await ai.files.list({ config: { pageSize: 1 } }))).length;

  const report = createPartFromUri(uploaded.uri, uploaded.mimeType);
  const shapes = { inlineData: { mimeType: "image/png", data: png } };
  const answer = await ai.models.generateContent({
    model,
    contents: createUserContent(["What are these?", report, shapes]),
    config: { systemInstruction: "Be brief.", temperature: 0.5 },
  });
  seen.answer = { text: answer.text, usage: answer.usageMetadata, finish: answer.candidates[0].finishReason };

  const structured = await ai.models.generateContent({
    model,
    contents: "A number",
    config: {
      responseMimeType: "application/json",
      responseJsonSchema: { type: "object", properties: { n: { type: "integer", minimum: 3 } }, required: ["n"] },
    },
  });
  seen.structured = JSON.parse(structured.text);

  seen.chunks = [];
  for await (const chunk of await ai.models.generateContentStream({ model, contents: "Hello ".repeat(50) })) {
    seen.chunks.push({ text: chunk.text, id: chunk.responseId });
  }

  const chat = ai.chats.create({ model });
  await chat.sendMessage({ message: "One" });
  seen.chat = (await chat.sendMessage({ message: "Two" })).text;

  seen.tokens = (await ai.models.countTokens({ model, contents: "Hello there" })).totalTokens;
  const embedded = await ai.models.embedContent({ model: "gemini-embedding-2", contents: ["one"] });
  seen.embeddings = embedded.embeddings.map((one) => one.values.length);
  seen.models = (await all(await ai.models.list())).map((one) => one.name);
  seen.model = (await ai.models.get({ model })).name;

  await ai.files.delete({ name: uploaded.name });
  await ai.files.delete({ name: large.name });
  seen.left = (await all(await ai.files.list())).length;

  const cache = await ai.caches.create({ model, config: { contents: "A story", ttl: "60s" } });
  const cached = await ai.models.generateContent({ model, contents: "Why?", config: { cachedContent: cache.name } });
  seen.cached = { text: cached.text, usage: cached.usageMetadata };
  await ai.caches.update({ name: cache.name, config: { ttl: "90s" } });
  await ai.caches.delete({ name: cache.name });

  let batch = await ai.batches.create({ model, src: [{ contents: [{ role: "user", parts: [{ text: "One" }] }] }] });
  while (!batch.done && !String(batch.state).endsWith("SUCCEEDED")) batch = await ai.batches.get({ name: batch.name });
  const [result] = batch.dest.inlinedResponses;
  seen.batch = { state: batch.state, text: result.response.candidates[0].content.parts[0].text };
  await ai.batches.delete({ name: batch.name });

  const weather = { name: "weather", parametersJsonSchema: { type: "object", properties: { city: { type: "string" } } } };
  const called = await ai.models.generateContent({
    model,
    contents: "The weather?",
    config: { tools: [{ functionDeclarations: [weather] }] },
  });
  seen.call = called.functionCalls[0];

  const first = await ai.interactions.create({ model, input: "One" });
  const second = await ai.interactions.create({ model, input: "Two", previous_interaction_id: first.id });
  const events = [];
  for await (const event of await ai.interactions.create({ model, input: [{ type: "text", text: "Hi" }], stream: true })) {
    events.push(event.event_type);
  }
  await ai.interactions.delete(first.id);
  seen.interaction = {
    first: first.status,
    text: second.steps.at(-1).content[0].text,
    events,
    gone: await failure(() => ai.interactions.get(first.id)),
  };

  seen.errors = {
    model: await failure(() => ai.models.generateContent({ model: "gemini-0.1-none", contents: "x" })),
    file: await failure(() => ai.files.get({ name: "files/nope" })),
    stream: await failure(async () => {
      for await (const _ of await ai.models.generateContentStream({ model: "nope", contents: "x" })) {
        // The error comes before the first chunk.
      }
    }),
  };

  const heard = [];
  let resolve;
  const turn = new Promise((done) => { resolve = done; });
  const live = await ai.live.connect({
    model,
    config: { responseModalities: ["TEXT"] },
    callbacks: {
      onmessage: (message) => {
        heard.push(message);
        if (message.serverContent?.turnComplete) resolve();
      },
      onerror: (error) => heard.push({ error: String(error) }),
    },
  });
  live.sendClientContent({ turns: "Hello live", turnComplete: true });
  await turn;
  live.close();
  seen.live = {
    text: heard.map((message) => message.text ?? "").join(""),
    tokens: heard.find((message) => message.usageMetadata)?.usageMetadata.totalTokenCount,
  };

  return seen;
}
