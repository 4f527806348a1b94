// Runs a Python file in Pyodide: node run_in_node.mjs PYODIDE_FOLDER FILE [ARGUMENT...], in the checkout's folder.
import { readFileSync } from "node:fs";

const [folder, file, ...options] = process.argv.slice(2);
const { loadPyodide } = await import(`${folder}/pyodide.mjs`);
const pyodide = await loadPyodide({ indexURL: `${folder}/`, packages: ["pytest", "threadviz"] });
pyodide.FS.mkdirTree("/checkout");
pyodide.mountNodeFS("/checkout", process.cwd());
pyodide.pyimport("sys").argv = pyodide.toPy([file, ...options]);
try {
    process.exitCode = await pyodide.runPythonAsync(readFileSync(file, "utf-8"));
} catch (error) {
    console.error(String(error.message).slice(-2000)); // with its stack come a hundred kilobytes of Pyodide itself
    process.exitCode = 3;
}
