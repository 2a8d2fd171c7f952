import "./styles/tokens.css";
import "./styles/base.css";

import { mount } from "svelte";

import App from "./App.svelte";
import { startTheme } from "./lib/theme";

startTheme();

// A page of an older version asks for files that are not there any more.
addEventListener("vite:preloadError", () => location.reload());

const target = document.getElementById("app");
if (target) mount(App, { target });
