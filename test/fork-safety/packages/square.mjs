// What piscina's threads do.
export default ({ from, to }) => {
  let sum = 0;
  for (let number = from; number < to; number++) sum += number ** 2;
  return sum;
};
