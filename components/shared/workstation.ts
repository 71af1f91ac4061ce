/**
 * A command by which the plugin runs one of the package's programs on the workstation, in the project's directory. It finds the
 * module by the package's name. So the text is the same in a clone, in an installed package and on every workstation, and the state
 * holds no path of a machine.
 */
export const runModule = (
  module: "image-scan" | "portainer-environment",
  ...args: string[]
): string => [`node -e "import('docker-node/${module}')"`, ...args].join(" ");
