// The built-in Modbus profiles: what there is, without reading any of the files beside this one.

import type { ProfileEntry, ProfileHead } from "../../profile.ts";
import { type BuiltIn, createShelf, type Shelf } from "../../profile-shelf.ts";
import type { Profile } from "../profile.ts";
import { modbusProfiles } from "../profile-examples.ts";

const meter = (name: string, manufacturer: string, model: string): ProfileEntry => ({
  name,
  manufacturer,
  model,
  class: "ElectricityMeter",
});

export const builtInModbus: BuiltIn = {
  folder: new URL("./", import.meta.url),
  entries: [
    meter("abb-b-series", "ABB", "A/B series"),
    meter("bg-etech-ds100", "B+G e-tech", "DS100"),
    meter("bg-etech-ws100", "B+G e-tech", "WS100"),
    meter("eastron-sdm120", "Eastron", "SDM120"),
    meter("eastron-sdm220", "Eastron", "SDM220"),
    meter("eastron-sdm230", "Eastron", "SDM230"),
    meter("eastron-sdm54", "Eastron", "SDM54"),
    meter("eastron-sdm630", "Eastron", "SDM630"),
    meter("eastron-sdm72", "Eastron", "SDM72"),
    meter("eastron-sdm72-v2", "Eastron", "SDM72 v2"),
    meter("eastron-x96-1a", "Eastron", "SMART X96-1A"),
    meter("eltako-dsz15dzmod", "Eltako", "DSZ15DZMOD"),
    meter("eltako-dsz16", "Eltako", "DSZ16"),
    meter("finder-7m24", "Finder", "7M.24"),
    meter("finder-7m38", "Finder", "7M.38"),
    meter("janitza-b-series", "Janitza", "B series"),
    meter("lovato-dmg610", "Lovato", "DMG610"),
    meter("orno-we-504", "Orno", "WE-504"),
    meter("orno-we-514", "Orno", "WE-514, WE-515"),
    meter("orno-we-516", "Orno", "WE-516, WE-517"),
    meter("orno-we-525", "Orno", "WE-525, WE-526"),
    meter("schneider-iem3000", "Schneider Electric", "iEM3000"),
  ],
};

export const modbusShelf = (own: readonly ProfileHead[] = []): Shelf<Profile> =>
  createShelf(modbusProfiles, builtInModbus, own);
