export default () => "quiet";
