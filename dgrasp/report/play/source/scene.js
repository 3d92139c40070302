// What the page draws of a scene's file.

import { FileProblem } from "./container.js";

/** Pictures, cameras, surfaces and known grasps of a scene's file. */
export async function drawnScene({ facts, arrays }) {
  const pictures = await Promise.all(Array.from({ length: facts.pictures }, (_, i) => pictureOf(arrays, i)));
  const grasps = arrays.grasps.data;
  return {
    facts,
    pictures,
    K: arrays.picture_K.data,
    Ts: arrays.Ts_world_cam.data,
    vertices: arrays.vertices.data,
    faces: arrays.faces.data,
    colours: arrays.face_colours.data,
    grasps: Array.from({ length: grasps.length / 12 }, (_, i) => Array.from(grasps.subarray(12 * i, 12 * i + 12))),
    board: facts.board,
    centre: facts.centre,
  };
}

async function pictureOf(arrays, i) {
  const name = `picture.${i}`;
  if (!arrays[name]) throw new FileProblem(`array ${name} is missing in the file`);
  return createImageBitmap(new Blob([arrays[name].data], { type: "image/jpeg" }));
}
