// The end: model, maps and commands, made in the background.
import { get, post } from "./api.js";
import { byId, make, toast } from "./dom.js";

const WORDS = {
  idle: "", adapting: "Making the model", mapping: "Mapping the scenes", done: "Done.", failed: "",
};
const EVERY = 700;

export function setUpFinish(labels) {
  const dialog = byId("done");
  byId("done-labels").textContent = labels;
  byId("finish").onclick = () => {
    dialog.showModal();
    watch();
  };
  byId("done-close").onclick = () => dialog.close();
  byId("done-start").onclick = async () => {
    try {
      await post("/api/finish", {});
      watch();
    } catch (error) {
      toast(error.message);
    }
  };
}

async function watch() {
  let finish;
  try {
    ({ finish } = await get("/api/status"));
  } catch (error) {
    byId("done-state").textContent = error.message;
    return;
  }
  const working = ["adapting", "mapping"].includes(finish.state);
  byId("done-start").disabled = working;
  const bar = byId("done-share");
  bar.hidden = !working;
  if (finish.state === "adapting") bar.removeAttribute("value");
  else bar.value = finish.share;
  byId("done-state").textContent = finish.error || WORDS[finish.state];
  const files = finish.files.map((file) => make("li", {}, make("code", { textContent: file })));
  byId("done-files").replaceChildren(...files);
  if (working && byId("done").open) setTimeout(watch, EVERY);
}
