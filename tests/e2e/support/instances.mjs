// Runs in workerd, before the product's Worker: keeps what is instantiated.

const { Instance } = WebAssembly;

export const instances = [];

WebAssembly.Instance = class extends Instance {
  constructor(...args) {
    super(...args);
    instances.push(this);
  }
};
