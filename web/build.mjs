// Builds what browsers load into api/static (ignored by git): one bundle for each src/*.ts and src/*.css, licences beside them.
import { build } from "esbuild";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import path from "node:path";

const here = path.dirname(fileURLToPath(import.meta.url));
const goal = path.join(here, "..", "api", "static");
const fresh = `${goal}.new`;

const entries = (await readdir(path.join(here, "src"), { withFileTypes: true }))
  .filter((one) => one.isFile() && /\.(ts|css)$/.test(one.name) && !one.name.endsWith(".d.ts"))
  .map((one) => path.join(here, "src", one.name));

await rm(fresh, { recursive: true, force: true });
await mkdir(fresh, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: entries,
  outdir: fresh,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome110", "firefox110", "safari16"],
  legalComments: "linked",
  logLevel: "warning",
});

// The licences of everything that is bundled, word for word, under one address.
const { dependencies } = JSON.parse(await readFile(path.join(here, "package.json"), "utf8"));
const texts = [];
for (const name of Object.keys(dependencies).sort()) {
  const folder = path.join(here, "node_modules", name);
  const about = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8"));
  const found = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice|authors)/i.test(file)).sort();
  if (found.length === 0) throw new Error(`${name} has no licence file`);
  for (const file of found) texts.push(`${name} ${about.version} (${about.license}): ${file}\n\n${await readFile(path.join(folder, file), "utf8")}`);
}
await writeFile(path.join(fresh, "licences.txt"), texts.join(`\n${"=".repeat(100)}\n\n`));

// In one go: a page that is being loaded sees the old files or the new ones.
await rm(goal, { recursive: true, force: true });
await rename(fresh, goal);
